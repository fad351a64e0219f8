import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { asyncApiDocument } from '../../shared/messages/asyncapi-document.ts';
import { projectFolder } from '../project-folder.ts';

/*
 * `npm run asyncapi` writes the document of the records on Kafka from the schemas that validate them; `npm run asyncapi:check`
 * fails where that differs from what is committed.
 */
const committedFile = join(projectFolder, 'shared', 'messages', 'asyncapi.yaml');

const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
// Without aliases: what is the same in two places is written out in both.
const text = `# Written by \`npm run asyncapi\`.\n${stringify(asyncApiDocument(), { aliasDuplicateObjects: false, lineWidth: 120 })}`;
if (!values.check) {
  await writeFile(committedFile, text);
} else if ((await readFile(committedFile, 'utf8').catch(() => '')) !== text) {
  console.error(
    'shared/messages/asyncapi.yaml is not what the schemas say: run `npm run asyncapi` and look at the diff.',
  );
  process.exitCode = 1;
} else {
  console.log('The AsyncAPI document is as committed.');
}
