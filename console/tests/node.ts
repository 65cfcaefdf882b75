import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { decode, encode } from '@msgpack/msgpack';

type Event = Record<string, unknown>;

/** Values as clients of a watched site may send them. */
export const HOSTILE = {
  markup: '<img src=x onerror="alert(1)"><script>alert(2)</script>',
  turned: '\u202eelif.exe\u2066 \u200bhidden',
  long: 'x'.repeat(10_000),
  control: 'a\u0000b\u001b[31mred\u0007\r\nnext',
};

/** A request as a node tells it. */
export function event(changes: Event = {}): Event {
  return {
    v: 1,
    id: randomBytes(16),
    seq: [randomBytes(8), 1],
    node: 'test',
    app: 'test',
    kid: new Uint8Array(4),
    sid: randomBytes(16),
    key: ['cookie:test', 'test', 'value', false],
    conn: 1,
    n: 1,
    host: 'test.example',
    method: 'GET',
    path: '/',
    proto: 'HTTP/1.1',
    scheme: 'https',
    status: 200,
    dur: 1200,
    up: 1000,
    in: 300,
    out: 900,
    ip: '192.0.2.1',
    ua: 'test',
    ...changes,
  };
}

/** A session for each hostile value, with the value in every text that is shown. */
export function hostile(): Event[] {
  return Object.values(HOSTILE).map((value) =>
    event({
      host: 'hostile.example',
      path: `/${value}`,
      method: value.slice(0, 40),
      ua: value,
      app: value.slice(0, 200),
      user: [value, false],
      role: [value, false],
      key: ['request.query.token', 'token', value, false],
      ctx: [['request.query.a', 'a', 'context', value, false]],
    }),
  );
}

/** Sends requests as a node does, and waits until they are acknowledged. */
export function send(socket: string, events: Event[]): Promise<void> {
  const chunk = randomBytes(16).toString('base64');
  const seconds = Math.floor(Date.now() / 1000);
  const frame = encode(['wallarm.sessions', events.map((event) => [seconds, event]), { chunk }]);
  return new Promise((resolve, reject) => {
    const connection = connect(socket, () => connection.write(frame));
    connection.once('error', reject);
    connection.once('data', (answer) => {
      connection.end();
      const { ack } = decode(answer) as { ack: string };
      if (ack === chunk) resolve();
      else reject(new Error(`another chunk was acknowledged: ${ack}`));
    });
  });
}
