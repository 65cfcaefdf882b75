// Stands between a node and its collector, as a Fluentd would: takes chunks and acknowledges them, and sends what was
// in them on in chunks of its own.
import fluent from '@fluent-org/logger';

const [host, port] = process.argv[2].split(':');
const client = new fluent.FluentClient('wallarm', {
    eventMode: 'PackedForward', ack: {}, flushInterval: 50, eventRetry: {}, socket: { host, port: Number(port) },
});
const server = new fluent.FluentServer({ listenOptions: { host: '127.0.0.1', port: Number(process.env.PORT) } });
server.on('entry', (tag, time, record) => {
    client.emit(tag.replace(/^wallarm\./, ''), record, time).catch((error) => console.log(`not sent on: ${error}`));
});
await server.listen();
