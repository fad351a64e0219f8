/** Ctrl-C and kill end what was started, in order; a second Ctrl-C does not wait for it. */
export function endOnSignal(stop: () => Promise<void>): void {
  let ending = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const code = signal === 'SIGINT' ? 130 : 143;
      // npm does not wait for our end at Ctrl-C, which comes as a SIGTERM in the middle of it (end-with-npm.ts).
      if (ending && signal === 'SIGINT') process.exit(code);
      if (ending) return;
      ending = true;
      stop().finally(() => process.exit(code));
    });
  }
}
