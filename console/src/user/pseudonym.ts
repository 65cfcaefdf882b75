/** Statistics do not tell what left the node as a pseudonym; it has a shape of its own. */
export const isPseudonym = (value: string) => /^[0-9a-f]{32}$/.test(value);
