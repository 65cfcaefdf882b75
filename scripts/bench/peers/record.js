// The record of the typical configuration of scripts/bench/cost, as one would write it with njs.
import crypto from 'crypto';

const SECRET = '0123456789abcdef0123456789abcdef';

function pseudonym(value) {
    return crypto.createHmac('sha256', SECRET).update(value).digest('base64url').slice(0, 22);
}

function claim(header, name) {
    try {
        const payload = header.split('.')[1];
        return JSON.parse(Buffer.from(payload, 'base64url').toString())[name];
    } catch (e) {
        return undefined;
    }
}

function cookie(header, name) {
    const found = (header || '').split('; ').find((pair) => pair.startsWith(name + '='));
    return found && found.slice(name.length + 1);
}

function made(r) {
    const headers = r.headersIn;
    const key = headers['X-Session'] || r.args.token;
    const language = headers['Accept-Language'];
    const user = claim(headers.Authorization || '', 'sub');
    return JSON.stringify({
        id: r.variables.request_id,
        sid: pseudonym(key || r.remoteAddress + headers['User-Agent']),
        time: r.variables.msec,
        ip: r.remoteAddress,
        method: r.method,
        host: r.variables.host,
        path: r.uri,
        status: r.status,
        bytes: r.variables.bytes_sent,
        seconds: r.variables.request_time,
        user_agent: headers['User-Agent'],
        user: user && pseudonym(user),
        params: {
            'X-Class': headers['X-Class'] && pseudonym(headers['X-Class']),
            'Accept-Language': language && pseudonym(language),
            theme: cookie(headers.Cookie, 'theme'),
        },
    });
}

export default { made };
