/*
 * An execution environment that is started, invoked once and gone. In JavaScript: Lambda strips no types, which takes longer than
 * the start of Node. Arguments: the bundle's module, and the event as JSON, if it is to be invoked.
 */
import { pathToFileURL } from 'node:url';

const [entry, event] = process.argv.slice(2);
const startedMs = performance.now();
const startCpu = process.cpuUsage();
const { handler } = await import(pathToFileURL(entry).href);
const loadedMs = performance.now();
const loadCpu = process.cpuUsage(startCpu);
if (event !== undefined) {
  const context = {
    functionName: 'cold',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:cold',
    getRemainingTimeInMillis: () => 29_000,
  };
  const answer = await handler(JSON.parse(event), context);
  if (answer?.statusCode >= 300) throw new Error(`It answered ${answer.statusCode}: ${answer.body}`);
}
const answeredMs = performance.now();
const times = {
  startMs: startedMs,
  loadMs: loadedMs - startedMs,
  loadCpuMs: (loadCpu.user + loadCpu.system) / 1000,
  answerMs: answeredMs - loadedMs,
};
process.send(times, () => process.exit());
