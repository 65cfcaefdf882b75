/** Turns the direction of writing, or is not to be seen, or is a control character: as the server's `legible.rs`. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this looks for
const STEERS = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const NAMED: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Values come from clients of the watched site: what would steer the page shows as an escape. */
export function legible(text: string, most = Number.POSITIVE_INFINITY): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replace(STEERS, (sign) => NAMED[sign] ?? `\\u{${sign.charCodeAt(0).toString(16)}}`);
}
