import { share } from '../show/numbers';
import type { Decided } from './questions';

/** What is not well, and what to change in nginx.conf. */
export interface Advice {
  text: string;
  lines?: string;
}

/** Of the requests, from which on it is worth a change. */
const MUCH = 0.2;
/** Sessions of a key, from which on their shape says something. */
const ENOUGH = 20;

/** Whether nothing but the address, or address and User-Agent, tells apart. */
export const isAddress = ({ source }: Decided) => source === 'ip+ua' || source === 'ip';

const OWN = `wallarm_session_key request.header.Authorization.jwt.payload.sub;
wallarm_session_key request.cookie.YOUR_COOKIE;
wallarm_session_key response.body.json.token;`;

/** Requests that nobody told who they belong to. */
export function byAddress(decided: Decided[]): { share: string; requests: number; advice: Advice | null } {
  const all = decided.reduce((sum, { requests }) => sum + requests, 0);
  const requests = decided.filter(isAddress).reduce((sum, one) => sum + one.requests, 0);
  const much = all > 0 && requests / all >= MUCH;
  return {
    share: share(requests, all),
    requests,
    advice: much
      ? {
          text: 'People behind one address with the same browser are one session, and a phone that moves about is several. Name what your clients send with each request, and what a login answers:',
          lines: OWN,
        }
      : null,
  };
}

/** Of sessions with many addresses: what the key is. */
export function ofMerged(source: string): Advice {
  if (source === 'ip' || source === 'ip+ua') {
    return {
      text: 'The address is that of a proxy before NGINX. Tell NGINX whom to believe:',
      lines: 'set_real_ip_from 10.0.0.0/8;\nreal_ip_header X-Forwarded-For;',
    };
  }
  return {
    text: 'Many have the same value of this key: it is that of an application or a partner, not of a person. Put a key that tells people apart before it:',
    lines: `wallarm_session_key request.header.Authorization.jwt.payload.sub;\nwallarm_session_key ${isSource(source) ? source : 'request.header.X-Api-Key'};`,
  };
}

const isSource = (source: string) => /^(request|response)\.[\w.*-]+$/.test(source);

/** A key most of whose sessions have one request: its value changes with each. */
export function isSplit(one: Decided, single: Decided | undefined): boolean {
  return one.sessions >= ENOUGH && !isAddress(one) && (single?.sessions ?? 0) > one.sessions / 2;
}

/** What to do about such a key. */
export const ofSplit: Advice = {
  text: 'Its value changes with each request: a nonce, a token that is rotated, or a cookie that the application hands out to clients that ignore it. Take what stays, such as a claim of the token:',
  lines: 'wallarm_session_key request.header.Authorization.jwt.payload.sub;\nwallarm_session_builtin_keys off;',
};
