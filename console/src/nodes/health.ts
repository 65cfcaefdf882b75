import type { Node, Worker } from '../api/client';
import { legible } from '../show/legible';
import { bytes, count, counted, share, span } from '../show/numbers';

/** Something about a node that a person should know. */
export interface Warning {
  /** `lost`: requests are missing. `soon`: they will be if it goes on. `told`: nothing is lost by it. */
  level: 'lost' | 'soon' | 'told';
  title: string;
  /** What it means, and what helps. */
  text: string;
}

/** Workers report every ten seconds; after a minute without a report something is wrong. */
const SILENT_MS = 60_000;
/** Of what there is room for, from which on it may run over. */
const NEARLY = 0.8;

/** Why a request is dropped, and what helps (docs/operations.md). */
const REASONS: Record<string, [title: string, help: string]> = {
  queue_full: [
    'the queue was full',
    'More requests came than the worker could describe. Raise wallarm_session_queue, or give the machine more CPU.',
  ],
  memory_full: [
    'the memory for them was full',
    'The collector did not take them fast enough. Raise memory= of wallarm_session_queue, or set wallarm_session_spool.',
  ],
  no_flusher: ['the thread that sends them was not there', 'The error log of the node says why.'],
  unsent_at_exit: [
    'the worker ended before the collector had them',
    'With wallarm_session_spool they would wait on disk.',
  ],
  worker_killed: [
    'a worker was killed or crashed',
    'The error log of the node says when. A spool keeps what is older than a second.',
  ],
  spool_full: ['the spool was full', 'The collector was away for too long. Raise max= of wallarm_session_spool.'],
  spool_damaged: ['the spool could not be read', 'Look at the disk of the node.'],
  failed: ['they could not be described', 'No memory for a request, or a bug: please report it with the error log.'],
};

export const reasonOf = (reason: string) => REASONS[reason]?.[0] ?? reason;

export const isSilent = ({ age_ms }: Worker) => age_ms > SILENT_MS;

/** Requests that no record tells of. */
export const lostBy = ({ drops }: Worker) => Object.values(drops).reduce((sum, n) => sum + n, 0);

/** What is wrong with a node, the worst first. `before`: what each worker had lost when one began to look. */
export function warnings(node: Node, before: ReadonlyMap<string, number>): Warning[] {
  const living = node.workers.filter((worker) => !isSilent(worker));
  return [...losses(node.workers, before), ...silence(node), ...living.flatMap(shortages), ...waiting(living)];
}

function losses(workers: Worker[], before: ReadonlyMap<string, number>): Warning[] {
  const all = new Map<string, number>();
  for (const { drops } of workers) {
    for (const [reason, n] of Object.entries(drops)) if (n) all.set(reason, (all.get(reason) ?? 0) + n);
  }
  const now = workers.reduce(
    (sum, one) => sum + Math.max(0, lostBy(one) - (before.get(one.instance) ?? lostBy(one))),
    0,
  );
  const going = now > 0 ? `, ${count(now)} of them while you look` : '';
  return [...all]
    .sort(([, one], [, other]) => other - one)
    .map(([reason, n], first) => ({
      level: 'lost',
      title: `${counted(n, 'request')} lost: ${reasonOf(reason)}${first === 0 ? going : ''}`,
      text: REASONS[reason]?.[1] ?? 'The error log of the node tells more.',
    }));
}

function silence({ workers }: Node): Warning[] {
  if (!workers.every(isSilent)) return [];
  const age = Math.min(...workers.map(({ age_ms }) => age_ms));
  return [
    {
      level: 'soon',
      title: `Silent for ${span(age)}`,
      text: 'Workers report every ten seconds. NGINX is stopped there, or does not reach this server; its requests wait or are lost.',
    },
  ];
}

function shortages({ pid, queue, spool }: Worker): Warning[] {
  const found: Warning[] = [];
  const near = (is = 0, most = 0) => most > 0 && is >= most * NEARLY;
  const soon = (title: string, text: string) => found.push({ level: 'soon', title: `${title} in worker ${pid}`, text });
  if (near(queue.length, queue.capacity)) {
    soon(`The queue is ${share(queue.length ?? 0, queue.capacity ?? 0)} full`, REASONS.queue_full?.[1] ?? '');
  }
  if (near(queue.bytes, queue.memory)) {
    soon(`The memory is ${share(queue.bytes ?? 0, queue.memory ?? 0)} full`, REASONS.memory_full?.[1] ?? '');
  }
  if (spool && near(spool.bytes, spool.max)) {
    soon(`The spool is ${share(spool.bytes ?? 0, spool.max ?? 0)} full`, REASONS.spool_full?.[1] ?? '');
  }
  return found;
}

function waiting(workers: Worker[]): Warning[] {
  const held = workers.reduce((sum, { spool }) => sum + (spool?.bytes ?? 0), 0);
  if (!held) return [];
  return [
    {
      level: 'told',
      title: `${bytes(held)} wait in the spool`,
      text: 'The collector was away or slow. They are sent as fast as it takes them; nothing of it is lost.',
    },
  ];
}

/** Nodes that call the same user by different names, if there are any. */
export function secrets(nodes: Node[]): Warning | null {
  const kids = new Map<string, Set<string>>();
  for (const { name, workers } of nodes) {
    for (const worker of workers.filter((worker) => !isSilent(worker))) {
      kids.set(worker.kid, (kids.get(worker.kid) ?? new Set()).add(name));
    }
  }
  if (kids.size < 2) return null;
  const told = [...kids]
    .map(([kid, names]) => `${[...names].map((name) => legible(name, 40)).join(', ')} (${kid})`)
    .join('; ');
  return {
    level: 'soon',
    title: 'Nodes have different secrets',
    text: `So the same user has another session on each: ${told}. Give all of them the same file in wallarm_session_secret.`,
  };
}
