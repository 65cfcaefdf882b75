import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { agent, big, hostile, keys, LIKE_STORY, likeStory, NEIGHBOUR, neighbour, send, story } from './node';

const program = join(process.env.API_SESSIONS_BIN ?? '../build/bin', 'api-sessions');

/** Two real servers for all tests: one with a week of sessions and hostile ones among them, one with none. */
export default async function servers() {
  const home = mkdtempSync(join(tmpdir(), 'console-'));
  const running: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of running) await end();
    rmSync(home, { recursive: true, force: true });
  };
  try {
    const full = folder(home, 'full');
    const [requests, sessions] = process.env.BENCH ? ['300000', '100000'] : ['20000', '1200'];
    const week = ['--days', '7', '--requests', requests, '--sessions', sessions, '--seed', '6'];
    execFileSync(program, ['generate', '--data-dir', join(full, 'data'), ...week], { stdio: 'ignore' });
    process.env.FULL = await start(full, running);
    process.env.INGEST = join(full, 'collector.sock');
    const sent = [...hostile(), ...story(), ...likeStory(), ...neighbour(), ...agent(), ...keys()];
    await send(process.env.INGEST, sent);
    for (let n = 0; process.env.BENCH && n < 50_000; n += 1000) await send(process.env.INGEST, big(n, n + 1000));
    await applied(process.env.FULL);
    process.env.EMPTY = await start(folder(home, 'empty'), running);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

function folder(home: string, name: string): string {
  mkdirSync(join(home, name, 'data'), { recursive: true });
  return join(home, name);
}

/** Starts one on a free port and tells where it answers. */
function start(folder: string, running: (() => Promise<void>)[]): Promise<string> {
  const flags = ['--data-dir', join(folder, 'data'), '--runtime-dir', folder, '--listen', '127.0.0.1:0'];
  const server = spawn(program, ['serve', ...flags, '--log-level', 'warn'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  running.push(() => {
    server.kill();
    return ended;
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', () => reject(new Error('the server did not start')));
    createInterface(server.stdout).on('line', (line) => {
      const url = /^collector: api on (http:.*)$/.exec(line)?.[1];
      if (url) resolve(url);
    });
  });
}

/** Waits until everything that was taken is to be seen. */
async function applied(url: string) {
  for (let tries = 0; tries < 1200; tries += 1) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const waiting = /^api_sessions_log_unapplied_bytes (\d+)/m.exec(metrics)?.[1];
    if (
      waiting === '0' &&
      (await total(
        url,
        `host IN ("hostile.example","tools.example","keys.example") OR user="ada@shop.example" OR session_id IN (${NEIGHBOUR},${LIKE_STORY})`,
      )) === SENT
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('what was sent is never to be seen');
}

/** Parts of sessions that are sent. */
const SENT = hostile().length + 31;

/** Sessions that a filter leaves. */
export async function total(url: string, filter: string): Promise<number> {
  const answer = await fetch(`${url}/api/v1/sessions/count?filter=${encodeURIComponent(filter)}`);
  return ((await answer.json()) as { count: number }).count;
}
