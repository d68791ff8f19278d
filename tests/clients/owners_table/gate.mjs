// Runs what it is given, `width` at a time, in the order it came.

export function gateOf(width) {
  let free = width;
  const waiting = [];
  return async (run) => {
    if (free > 0) free -= 1;
    else await new Promise((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
