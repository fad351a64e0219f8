import { parseArgs } from 'node:util';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

const usage = `npm run redrive -- --from on-failure|dead-letter [--env prod] [--limit 10000] [--dry-run]

Puts records that were given up back where they came from, in the deployment that your AWS credentials and region name.

  --from     on-failure: what event source mappings gave up after days of trying
             dead-letter: what functions could not read, or found to name no run
  --dry-run  tells how many there are, and does nothing`;

const REQUEST_TIMEOUT_MS = 15 * 60_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      env: { type: 'string', default: 'prod' },
      limit: { type: 'string', default: '10000' },
      'dry-run': { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(usage);
  const { from } = values;
  if (from !== 'on-failure' && from !== 'dead-letter')
    throw new RangeError(`--from: expected on-failure or dead-letter, but it is ${from}\n\n${usage}`);
  const limit = Number(values.limit);
  if (!Number.isInteger(limit) || limit < 1)
    throw new RangeError(`--limit: expected a whole number from 1, but it is ${values.limit}\n\n${usage}`);

  const { Payload, FunctionError } = await new LambdaClient({
    maxAttempts: 1,
    // The function itself ends before: what is beyond is a connection that nobody answers on.
    requestHandler: { requestTimeout: REQUEST_TIMEOUT_MS },
  }).send(
    new InvokeCommand({
      FunctionName: `stepline-${values.env}-redrive:live`,
      Payload: JSON.stringify({ from, limit, dry_run: values['dry-run'] }),
    }),
  );
  const answer = Buffer.from(Payload ?? []).toString();
  if (FunctionError !== undefined) throw new Error(`The redrive failed: ${answer}`);
  console.log(answer);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
