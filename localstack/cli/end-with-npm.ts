const OFTEN_MS = 200;

/**
 * npm passes a signal on to the shell between it and us only, which ends without us: `kill` of `npm run dev` would leave the
 * stack running. So a start by npm ends when what started it does. Its end is a SIGTERM to ourselves, whatever that comes to.
 */
export function endWithNpm(variables: Readonly<Record<string, string | undefined>> = process.env): void {
  if (variables.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const looking = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(looking);
    process.kill(process.pid, 'SIGTERM');
  }, OFTEN_MS);
  looking.unref();
}
