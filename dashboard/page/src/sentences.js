// Sentences that are true of any figures: of ties, single values and unknown ones.

import { listOf, writeShare } from "./format.js";

/** Where the highest of some values is: "most in Jun 2024 with 120", or null if all are equal. */
export function mostSentence(entries, write) {
  const known = entries.filter(({ value }) => value !== null);
  const values = known.map(({ value }) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (known.length < 2 || least === most) return null;
  const best = known.filter(({ value }) => value === most);
  if (best.length > 3) return `at most ${write(most)}, in ${best.length} of ${known.length}`;
  return `most in ${listOf(best.map(({ name }) => name))} with ${write(most)}`;
}

/**
 * Who leads: "US leads with 45%". Null if fewer than two have anything, the leader is a remainder of
 * others or unknown, or parts of the whole are negative, where a share means nothing.
 */
export function leadSentence(entries, { isPlural = false } = {}) {
  const known = entries.filter(({ value }) => value);
  const named = known.filter(({ isRest }) => !isRest);
  if (known.length < 2 || !named.length || known.some(({ value }) => value < 0)) return null;
  const total = known.reduce((sum, { value }) => sum + value, 0);
  const most = Math.max(...named.map(({ value }) => value));
  const leaders = named.filter(({ value }) => value === most);
  const part = writeShare(most / total);
  if (leaders.length === 1) return `${leaders[0].name} ${isPlural ? "lead" : "leads"} with ${part}`;
  if (leaders.length > 3) return `${leaders.length} share the lead with ${part} each`;
  return `${listOf(leaders.map(({ name }) => name))} lead with ${part} each`;
}
