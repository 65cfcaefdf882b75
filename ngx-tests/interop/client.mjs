// Sends three requests in each mode of the client, and prints the modes whose acknowledgements came.
import fluent from '@fluent-org/logger';

const [host, port] = process.argv[2].split(':');
const hex = (bytes) => Buffer.from(bytes).toString('hex');
let number = 0;
for (const eventMode of ['Message', 'Forward', 'PackedForward', 'CompressedPackedForward']) {
    const client = new fluent.FluentClient('wallarm', {
        eventMode, ack: { ackTimeout: 20000 }, socket: { host, port: Number(port), timeout: 20000 },
    });
    const sent = [0, 1, 2].map(() => {
        number += 1;
        // As a sender writes it that has JSON only: bytes are hex digits.
        const id = [...new Uint8Array(15), number];
        const record = {
            v: 1, id: hex(id), seq: `${hex(Buffer.from('nodejs!!'))}:${number}`, sid: hex(new Uint8Array(16).fill(7)),
            node: 'interop', app: 'default', host: 'shop.example', method: 'GET', path: `/${eventMode}/${number}`,
            proto: 'HTTP/1.1', scheme: 'http', status: 200, dur: 1500, in: 100, out: 200, ip: '192.0.2.1', ua: 'node',
            key: ['ip', 'ip', '192.0.2.1', false],
        };
        return client.emit('sessions', record, fluent.EventTime.now());
    });
    // Fulfilled by the acknowledgement.
    await Promise.all(sent);
    console.log(`acknowledged: ${eventMode}`);
    await client.disconnect();
}
