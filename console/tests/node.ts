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

/** The session of `story`. */
export const STORY = 'ada0000000000000000000000000c0de';

/** The session of `neighbour`. */
export const NEIGHBOUR = 'b0b00000000000000000000000000000';

/** Somebody at the same address, on two days. */
export function neighbour(): Event[] {
  const own = { sid: Buffer.from(NEIGHBOUR, 'hex'), host: 'shop.example', path: '/products', ip: '84.132.84.16' };
  return [-24, 9.5, 9.6].map((hour) => ({ at: yesterday(hour), ...event(own) }));
}

/** Yesterday at an hour, UTC, in milliseconds. */
const yesterday = (hours: number) => Math.floor(Date.now() / 86_400_000 - 1) * 86_400_000 + hours * 3_600_000;

/** A session with something to find in it: a shopper by day, then somebody else with the same token who counts through orders. */
export function story(): Event[] {
  const token = ['request.header.Authorization', 'Authorization', '5f2c81d09ab34e7790aa10c2b1d4e6f3', true];
  const own = {
    sid: Buffer.from(STORY, 'hex'),
    key: token,
    app: 'shop',
    node: 'edge-1',
    host: 'shop.example',
    user: ['ada@shop.example', false],
    role: ['customer', false],
    ip: '84.132.84.16',
    ua: 'Shop/5.2 (iPhone; iOS 19.1)',
  };
  const other = { ...own, node: 'edge-2', ip: '203.0.113.77', ua: 'python-requests/2.32' };
  const steps: [number, Event][] = [
    [9, { ...own, method: 'POST', path: '/login', dur: 92_000 }],
    [9.004, { ...own, path: '/users/me' }],
    [9.006, { ...own, path: '/products', out: 24_000 }],
    [9.012, { ...own, path: '/products/1841', dur: 14_000 }],
    [
      9.02,
      {
        ...own,
        method: 'POST',
        path: '/cart/items',
        status: 201,
        ctx: [['request.body.json.sku', 'sku', 'context', 'sku-1841', false]],
      },
    ],
    [
      9.031,
      {
        ...own,
        method: 'POST',
        path: '/checkout',
        dur: 812_000,
        ctx: [['request.body.json.coupon', 'coupon', 'context', 'AUTUMN', false]],
      },
    ],
    [9.033, { ...own, path: '/orders/70412' }],
    [13.5, { ...other, path: '/users/me', status: 200 }],
    ...Array.from({ length: 14 }, (_, n): [number, Event] => [
      13.501 + n / 1500,
      { ...other, path: `/orders/${70_400 + n}`, status: 403, dur: 3100 + 40 * n },
    ]),
    ...Array.from({ length: 9 }, (_, n): [number, Event] => [
      13.515 + n / 1500,
      { ...other, path: `/orders/${70_414 + n}`, status: 200, dur: 9000 + 300 * n, out: 2400 },
    ]),
    [
      13.524,
      {
        ...other,
        path: '/search',
        status: 500,
        dur: 2_400_000,
        attacks: [['sqli', 'query.q', "' OR 1=1 --", 'modsecurity', false]],
      },
    ],
    [13.526, { ...other, path: '/reports/export', dur: 4_900_000, out: 8_400_000 }],
  ];
  return steps.map(([hour, changes], n) => ({
    at: yesterday(hour),
    ...event({ ...changes, n: n + 1, seq: [Buffer.from('5708e50000000001', 'hex'), n] }),
  }));
}

/** The session of `likeStory`. */
export const LIKE_STORY = 'b0b00000000000000000000000c0ffee';

/** Somebody else who does much the same as in `story`. */
export function likeStory(): Event[] {
  const own = {
    sid: Buffer.from(LIKE_STORY, 'hex'),
    host: 'shop.example',
    user: ['bob@shop.example', false],
    role: ['customer', false],
    ip: '198.18.7.7',
    ua: 'Shop/5.2 (iPhone; iOS 19.1)',
  };
  const steps: Event[] = [
    { ...own, method: 'POST', path: '/login', status: 401 },
    { ...own, path: '/users/me' },
    { ...own, path: '/products' },
    ...Array.from({ length: 5 }, (_, n) => ({ ...own, path: `/orders/${80_000 + n}` })),
    { ...own, method: 'POST', path: '/logout' },
    { ...own, path: '/reports/export' },
  ];
  return steps.map((changes, n) => ({ at: yesterday(10 + n / 120), ...event({ ...changes, n: n + 1 }) }));
}

/** The session of `big`. */
export const BIG = 'b1600000000000000000000000000000';

/** A part of a session of very many requests. */
export function big(from: number, to: number): Event[] {
  return Array.from({ length: to - from }, (_, n) => ({
    at: yesterday(1) + (from + n) * 1000,
    ...event({
      sid: Buffer.from(BIG, 'hex'),
      n: from + n,
      host: 'big.example',
      path: `/items/${(from + n) % 97}`,
      status: n % 41 ? 200 : 500,
      dur: 1000 + ((from + n) % 977) * 50,
      ctx: [['request.query.page', 'page', 'context', `${from + n}`, false]],
    }),
  }));
}

/** A session of many: the key of a partner, from six places; and sessions of a key that is another with each request. */
export function keys(): Event[] {
  const key = ['request.header.X-Api-Key', 'partner', '19df80137a8089dc55d97c951a6a2b2d', true];
  const sid = randomBytes(16);
  const six = Array.from({ length: 6 }, (_, n) =>
    event({ sid, key, host: 'keys.example', ip: `198.51.100.${n}`, ua: `agent ${n}` }),
  );
  const nonces = Array.from({ length: 25 }, (_, n) =>
    event({ key: ['request.header.X-Nonce', 'nonce', `${n}`, false], host: 'keys.example' }),
  );
  return [...six, ...nonces].map((one, n) => ({ at: yesterday(6) + n * 1000, ...one }));
}

/** Calls of an AI agent, and what a hostile one would call. */
export function agent(): Event[] {
  const own = {
    sid: randomBytes(16),
    host: 'tools.example',
    path: '/mcp',
    method: 'POST',
    user: ['agent-7', false],
    role: ['assistant', false],
    ctx: [
      ['request.header.X-Agent', 'agent', 'user', 'agent-7', false],
      ['request.header.X-Role', 'role', 'role', 'assistant', false],
    ],
  };
  const call = (mcp: unknown[], n: number) => ({ at: yesterday(11 + n / 60), ...event({ ...own, mcp }) });
  return [
    ['initialize', '', null, null],
    ['tools/call', 'find_orders', '{"customer":{"id":7},"open":true}', null],
    ['tools/call', 'refund', '{"order":70412}', '-32602'],
    ...Object.values(HOSTILE).map((value) => [value.slice(0, 200), value, value, value.slice(0, 500)]),
  ].map(call);
}

/** What workers tell of themselves: all is well, something is lost, another secret, names as a foe would choose them. */
export function reports(): Event[] {
  const queue = {
    length: 12,
    capacity: 8192,
    bytes: 90_000,
    memory: 67_108_864,
    unacked_chunks: 1,
    unacked_events: 40,
  };
  const report = (node: string, pid: number, changes: Event = {}) => ({
    v: 1,
    node,
    version: '0.1.0',
    nginx: '1.22.1',
    instance: Buffer.from(`${pid}`.padStart(8, '0')),
    pid,
    kid: Buffer.from('6b89e299', 'hex'),
    next_seq: 184_220,
    queue,
    drops: { queue_full: 0 },
    spool: { bytes: 0, parts: 0, max: 1_073_741_824 },
    plans: [
      {
        keys: [
          { source: 'request.header.X-Api-Key', name: 'partner', group: '$host', show: false },
          { source: 'response.body.json.token', name: 'token', group: '', show: false },
        ],
        builtin_keys: true,
        contexts: [{ source: 'request.header.Authorization.jwt.payload.sub', name: 'sub', kind: 'user', hashed: true }],
      },
    ],
    ...changes,
  });
  return [
    report('edge-1', 411),
    report('edge-1', 412, { next_seq: 179_004 }),
    report('edge-2', 512, {
      drops: { queue_full: 1841, spool_full: 12 },
      queue: { ...queue, length: 7900 },
      spool: { bytes: 1_050_000_000, parts: 140, max: 1_073_741_824 },
    }),
    report('edge-3', 610, { kid: Buffer.from('00c0ffee', 'hex') }),
    report('edge-4', 710),
    ...Object.values(HOSTILE)
      // A report of over 64 KiB is refused.
      .map((value) => value.slice(0, 3000))
      .map((value, n) =>
        report(value, 900 + n, {
          version: value,
          nginx: value,
          drops: { [value]: 1 },
          plans: [
            {
              keys: [{ source: value, name: value, group: value, show: true }],
              contexts: [{ name: value, kind: value }],
            },
          ],
        }),
      ),
  ];
}

/** Sends requests as a node does, and waits until they are acknowledged. */
export function send(socket: string, events: Event[], tag = 'wallarm.sessions'): Promise<void> {
  const chunk = randomBytes(16).toString('base64');
  const seconds = Math.floor(Date.now() / 1000);
  const entries = events.map(({ at, ...event }) => [at ? Math.floor(Number(at) / 1000) : seconds, event]);
  const frame = encode([tag, entries, { chunk }]);
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
