// What njs does in beside.conf.

function told(r) {
    return `${r.variables.wallarm_request_id} ${r.variables.wallarm_session_id} ${r.variables.status}`;
}

async function content(r) {
    const inner = await r.subrequest('/inner/text');
    r.headersOut['X-Njs'] = 'content';
    r.return(200, `${inner.status} ${inner.responseText.length} ${r.requestText || 'no body'}\n`);
}

function header(r) {
    delete r.headersOut['Content-Length'];
    r.headersOut['X-Njs'] = 'filter';
}

function body(r, data, flags) {
    r.sendBuffer(data.toUpperCase(), flags);
}

function elsewhere(r) {
    r.internalRedirect('/static/page.txt');
}

export default { told, content, header, body, elsewhere };
