// server-everything on the loopback only, at the port that $PORT names.
import net from 'node:net';

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, then) {
    return listen.call(this, Number(port), '127.0.0.1', then);
};
process.argv[2] = 'streamableHttp';
await import('@modelcontextprotocol/server-everything/dist/index.js');
