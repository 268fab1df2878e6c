// How fast rows go in, from what was seen of them.

/** Rates are over this much time: shards come in lumps. */
const WINDOW_MS = 15_000;
/** Two looks this close tell nothing. */
const SHORTEST_MS = 900;
/** News of rows that come steadily are not further apart. */
const SILENT_MS = 4_000;

/** Notes how many rows of which run were in when, and says how fast they come. */
export function meter() {
  const seen = new Map();

  function note(id, rows) {
    const at = performance.now();
    const samples = seen.get(id) ?? [];
    // Fewer rows than before: the run starts again.
    if (samples.length > 0 && rows < samples.at(-1).rows) samples.length = 0;
    samples.push({ at, rows });
    while (samples.length > 2 && at - samples[0].at > WINDOW_MS) samples.shift();
    seen.set(id, samples);
  }

  /** Rows a second, or null while that is not known. */
  function rate(id) {
    const samples = seen.get(id) ?? [];
    const [first, last] = [samples[0], samples.at(-1)];
    if (!first) return null;
    // Where nothing more is heard, nothing more comes in.
    const end = Math.max(last.at, performance.now() - SILENT_MS);
    if (end - first.at < SHORTEST_MS) return null;
    return ((last.rows - first.rows) * 1000) / (end - first.at);
  }

  /** Forgets all runs but these. */
  function only(ids) {
    const kept = new Set(ids);
    for (const id of seen.keys()) if (!kept.has(id)) seen.delete(id);
  }

  return { note, rate, only };
}
