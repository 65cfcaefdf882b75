import { createContext, useContext } from 'react';

/** The reader's own zone. */
export const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

/** All that can be chosen. */
export const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];

/** Whether it names a zone. */
export function isZone(name: string | undefined): name is string {
  try {
    return Boolean(name && Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}

export const ZoneContext = createContext(ownZone);

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const formats = new Map<string, Intl.DateTimeFormat>();

function parts(at: number, zone: string): Record<string, string> {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      fractionalSecondDigits: 3,
      hourCycle: 'h23',
    });
    formats.set(zone, format);
  }
  return Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
}

/** Writes times of the server in one zone. */
export class Clock {
  constructor(readonly zone: string) {}

  /** `22 Nov`. */
  date(time: string | number): string {
    const { day, month } = parts(millis(time), this.zone);
    return `${day} ${MONTHS[Number(month) - 1]}`;
  }

  /** `22:35:47`. */
  time(time: string | number): string {
    const { hour, minute, second } = parts(millis(time), this.zone);
    return `${hour}:${minute}:${second}`;
  }

  /** `22:35:47.791`. */
  exact(time: string | number): string {
    return `${this.time(time)}.${parts(millis(time), this.zone).fractionalSecond}`;
  }

  /** `22 Nov 22:35:47`. */
  both(time: string | number): string {
    return `${this.date(time)} ${this.time(time)}`;
  }

  /** `2026-11-22T22:35`, as an input for dates and times wants it. */
  input(time: number): string {
    const { year, month, day, hour, minute } = parts(time, this.zone);
    return `${year}-${month}-${day}T${hour}:${minute}`;
  }

  /** The moment that such an input means; of an hour that is there twice the first. */
  moment(input: string): number {
    const asUtc = Date.parse(`${input}Z`);
    if (Number.isNaN(asUtc)) return Number.NaN;
    const offset = (at: number) => Date.parse(`${this.input(at)}Z`) - Math.floor(at / 60_000) * 60_000;
    const early = asUtc - offset(asUtc - 86_400_000);
    return this.input(early) === input ? early : asUtc - offset(asUtc + 86_400_000);
  }
}

export const millis = (time: string | number) => (typeof time === 'number' ? time : Date.parse(time));

const clocks = new Map<string, Clock>();

/** The clock of the chosen zone. */
export function useClock(): Clock {
  const zone = useContext(ZoneContext);
  const clock = clocks.get(zone) ?? new Clock(zone);
  clocks.set(zone, clock);
  return clock;
}
