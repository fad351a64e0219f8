/** Ctrl-C and kill end what was started, in order; a second Ctrl-C does not wait for it. */
export function endOnSignal(stop: () => Promise<void>): void {
  let ending = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const code = signal === 'SIGINT' ? 130 : 143;
      if (ending) process.exit(code);
      ending = true;
      stop().finally(() => process.exit(code));
    });
  }
}
