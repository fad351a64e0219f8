import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { demoAgents } from '../../../../localstack/agents/demo-agents.ts';
import { workflowJsonSchema } from '../../../../shared/definition/workflow-json-schema.ts';
import { languageReference, readLanguageExamples } from '../../../support/language-examples.ts';
import {
  expectNothingLeft,
  type LanguageStack,
  startLanguageStack,
} from '../../../support/language-stack.ts';

/* The language's reference: what it shows is registered and executed, and what steps have is in it. */

const examples = readLanguageExamples();

describe('an example', () => {
  let stack: LanguageStack;
  beforeAll(async () => {
    stack = await startLanguageStack({
      databaseUrl: inject('databaseUrl'),
      kafkaBrokers: inject('kafkaBrokers'),
    });
    for (const [name, answer] of Object.entries(demoAgents))
      await stack.addAgent(name, ({ body }) => ({ body: answer(body.input_data) }));
  });
  afterAll(async () => {
    await expectNothingLeft(stack);
    await stack.close();
  });

  test.each(examples.map((example) => [example.definitions.at(-1)?.name, example] as const))(
    '%s',
    async (_, { definitions, cases }) => {
      let workflowId = '';
      for (const definition of definitions) workflowId = await stack.client.createWorkflow(definition);
      const runs = await Promise.all(
        cases.map(async ({ input, signal }) => {
          const runId = await stack.client.execute(workflowId, input);
          if (signal !== null) await stack.signal(runId, signal.name, signal.payload);
          return stack.client.ended(runId);
        }),
      );
      const outcomes = runs.map(({ status, output_data, error_code }) =>
        status === 'FAILED' ? { status, error_code } : { status, output_data },
      );
      expect(outcomes).toEqual(cases.map(({ outcome }) => outcome));
    },
  );
});

describe('the reference', () => {
  const steps = workflowJsonSchema('schema').$defs?.WorkflowStep;
  const kinds = (steps?.oneOf ?? steps?.anyOf ?? []) as {
    readonly properties: Readonly<Record<string, { readonly const?: string }>>;
  }[];

  test('has every type of step, with an example', () => {
    const types = kinds.map(({ properties }) => properties.type?.const);
    expect(types).toHaveLength(10);
    const shown = JSON.stringify(examples.map(({ definitions }) => definitions));
    for (const type of types) {
      expect(languageReference).toContain(`\n## ${type}\n`);
      expect(shown).toContain(type === 'agent' ? '"agent_name"' : `"type":"${type}"`);
    }
  });

  test('has every field of every type', () => {
    const fields = new Set(kinds.flatMap(({ properties }) => Object.keys(properties)));
    fields.delete('id');
    const missing = [...fields].filter((field) => !languageReference.includes(`\`${field}\``));
    expect(missing).toEqual([]);
  });
});
