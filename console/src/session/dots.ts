import type uPlot from 'uplot';
import type { Request, ToldPart } from '../api/client';
import { type Look, timeAxis } from '../chart/Plot';
import { legible } from '../show/legible';
import { took } from '../show/numbers';
import { classOf } from '../show/Statuses';
import { Clock } from '../time/zone';
import type { Between } from './questions';

interface Acts {
  /** What stands under the pointer. */
  onTold(text: string): void;
  onRequest(id: string): void;
  onWindow(window: Between): void;
}

const CLASSES = [
  ['2xx', '--ok'],
  ['3xx', '--moved'],
  ['4xx', '--refused'],
  ['5xx', '--failed'],
] as const;

const CHANGED: Record<string, string> = { ip: 'address', user_agent: 'User-Agent', country: 'country' };
/** Time without a turn of the wheel after which what it chose is asked for. */
const STILL = 250;

/** A drawing of requests one by one: when, how long, and how they were answered. */
export function requestDots(requests: Request[], parts: ToldPart[], between: Between, acts: Acts) {
  const times = requests.map(({ ts }) => Date.parse(ts) / 1000);
  const of = (name: string) =>
    requests.map(({ status, duration_us }) => {
      const its = status < 200 ? '2xx' : classOf(status);
      return its === name ? Math.max(1, duration_us) : null;
    });
  const columns = [times, ...CLASSES.map(([name]) => of(name))] as uPlot.AlignedData;
  const first = between.from / 1000;
  const last = Math.max(between.to / 1000, first + 0.001);
  const margin = (last - first) / 100;
  const at = (plot: uPlot) => {
    const { idx } = plot.cursor;
    return idx === null || idx === undefined ? undefined : requests[idx];
  };
  const options = (look: Look): Partial<uPlot.Options> => ({
    scales: {
      x: { time: true, range: [first - margin, last + margin] },
      y: { distr: 3, range: (_, low, high) => decades(low, high) },
    },
    series: [
      {},
      ...CLASSES.map(
        ([label, name]): uPlot.Series => ({
          label,
          paths: () => null,
          points: { show: true, size: 6, fill: look.colour(name), stroke: look.colour(name), width: 0 },
        }),
      ),
    ],
    axes: [
      timeAxis(look),
      {
        stroke: look.colour('--quiet'),
        font: look.font,
        ticks: { show: false },
        grid: { stroke: look.colour('--line'), width: 1 },
        size: 52,
        gap: 6,
        splits: (_, __, low, high) => powers(low, high),
        // Without this those between are none on such a scale.
        filter: (_, splits) => splits,
        values: (_, splits) => splits.map((us) => took(us)),
      },
    ],
    cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false, dist: 5 } },
    hooks: {
      drawAxes: [(plot) => changes(plot, parts, look)],
      setCursor: [
        (plot) => {
          const request = at(plot);
          if (!request || (plot.cursor.left ?? -1) < 0) return;
          const { ts, method, path, status, duration_us } = request;
          const time = new Clock(look.zone).exact(ts);
          acts.onTold(`${time}  ${legible(method, 16)} ${legible(path, 90)}  ${status}  ${took(duration_us)}`);
        },
      ],
      ready: [
        (plot) => {
          plot.over.addEventListener('click', () => {
            const request = at(plot);
            if (request && plot.select.width <= 0) acts.onRequest(request.id);
          });
          turn(plot, acts);
        },
      ],
    },
  });
  return { columns, options };
}

/** Whole powers of ten around what there is, so that a dot stands where its time says. */
function decades(low: number | null, high: number | null): [number, number] {
  const down = 10 ** Math.floor(Math.log10(low || 1));
  const up = 10 ** Math.ceil(Math.log10((high || 1) * 1.01));
  return [down, Math.max(up, down * 10)];
}

/** `1000`, `10000`, ... from the one to the other. */
const powers = (low: number, high: number) =>
  Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, n) => low * 10 ** n);

/** Lines where an address, a User-Agent or a country was there for the first time. */
function changes(plot: uPlot, parts: ToldPart[], look: Look) {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  ctx.save();
  ctx.strokeStyle = look.colour('--accent-text');
  ctx.fillStyle = look.colour('--accent-text');
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.font = `${11 * devicePixelRatio}px ${look.font.slice(5)}`;
  ctx.textBaseline = 'top';
  ctx.textAlign = 'left';
  let free = Number.NEGATIVE_INFINITY;
  for (const { at, what } of firsts(parts)) {
    const x = plot.valToPos(at / 1000, 'x', true);
    if (x < left || x > left + width) continue;
    const title = `new ${what.join(', ')}`;
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
    const wide = ctx.measureText(title).width + 8 * devicePixelRatio;
    const begin = x + wide > left + width ? x - wide : x + 3 * devicePixelRatio;
    if (begin < free) continue;
    ctx.fillText(title, begin, top + 2);
    free = begin + wide;
  }
  ctx.restore();
}

/** What was there for the first time, by its moment. */
function firsts(parts: ToldPart[]): { at: number; what: string[] }[] {
  const found = new Map<number, string[]>();
  for (const { what, ts } of parts.flatMap(({ changes }) => changes)) {
    const name = CHANGED[what];
    if (name) found.set(Date.parse(ts), [...(found.get(Date.parse(ts)) ?? []), name]);
  }
  return [...found].map(([at, what]) => ({ at, what })).sort((one, other) => one.at - other.at);
}

/** With the wheel: to the side along the time, with Ctrl closer and farther. */
function turn(plot: uPlot, { onWindow }: Acts) {
  let waiting: ReturnType<typeof setTimeout> | undefined;
  // Turns that follow each other go on from where the one before led.
  let [min, max] = [0, 0];
  plot.over.addEventListener(
    'wheel',
    (event) => {
      const side = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (!event.ctrlKey && !side) return;
      event.preventDefault();
      if (!max) [min, max] = [plot.scales.x?.min ?? 0, plot.scales.x?.max ?? 0];
      const share = event.offsetX / plot.over.clientWidth;
      const by = event.ctrlKey ? Math.exp(event.deltaY / 400) : 1;
      const moved = event.ctrlKey ? 0 : (side / plot.over.clientWidth) * (max - min);
      const here = min + (max - min) * share;
      [min, max] = [here - (here - min) * by + moved, here + (max - here) * by + moved];
      clearTimeout(waiting);
      waiting = setTimeout(() => onWindow({ from: min * 1000, to: max * 1000 }), STILL);
    },
    { passive: false },
  );
}
