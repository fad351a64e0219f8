import { describe, expect, it } from 'vitest';
import { definitionExamples } from '../../../functions/api/documents/examples.ts';
import { parseDefinition } from '../../../shared/definition/parse-definition.ts';
import { workflowJsonSchema } from '../../../shared/definition/workflow-json-schema.ts';
import { newValidator } from '../../support/schema-validator.ts';

const id = 'https://api.example.com/schemas/workflow.json';
const schema = workflowJsonSchema(id);
const validate = newValidator().compile(schema);
const { one_step: oneStep, pipeline } = definitionExamples;
const withStep = (changes: object) => ({
  ...oneStep,
  steps: { step1: { ...oneStep.steps.step1, ...changes } },
});

describe('the JSON Schema of a workflow', () => {
  it('says what it is, and where', () => {
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: id,
      title: expect.any(String),
    });
    expect(Object.entries(schema.properties ?? {}).filter(([, part]) => part instanceof Object).length).toBe(
      7,
    );
  });

  it.each(Object.entries(definitionExamples))(
    'accepts the example %s, which can be registered',
    (_, example) => {
      expect(validate(example)).toBe(true);
      expect(parseDefinition(example)).toMatchObject({ ok: true });
    },
  );

  const retry = {
    max_attempts: 5,
    initial_interval_ms: 100,
    backoff_rate: 1.5,
    jitter: 'none',
    codes: ['BUSY'],
  };
  it.each([
    ['a retry policy', withStep({ retry })],
    ['several', withStep({ retry: [retry, { codes: ['DOWN'] }] })],
    ['no retry', withStep({ retry: [] })],
    ['a timeout', withStep({ timeout_seconds: 0.5 })],
    ['any mapping', withStep({ input_mapping: { a: [1, { b: '$.variables.c' }], d: null } })],
    ['the least there can be', { name: 'w', start_step: 's', steps: { s: { agent_name: 'a' } } }],
  ])('accepts %s, as registration does', (_, definition) => {
    expect(validate(definition)).toBe(true);
    expect(parseDefinition(definition)).toMatchObject({ ok: true });
  });

  it.each([
    ['no name', { ...pipeline, name: undefined }],
    ['a name of a control character', { ...pipeline, name: 'a\u0007' }],
    ['a name that is too long', { ...pipeline, name: 'a'.repeat(129) }],
    ['no steps', { ...pipeline, steps: {} }],
    ['steps as a list', { ...pipeline, steps: [pipeline.steps.extract] }],
    ['a step by a reserved id', { ...oneStep, steps: { workflow_input: oneStep.steps.step1 } }],
    ['an unknown field', { ...pipeline, version: 1 }],
    ['an unknown field of a step', withStep({ agent: 'a' })],
    ['no agent', withStep({ agent_name: undefined })],
    ['a timeout of nothing', withStep({ timeout_seconds: 0 })],
    ['too many attempts', withStep({ retry: { max_attempts: 101 } })],
    ['a mapping that is text', withStep({ input_mapping: '$.workflow_input' })],
    ['not even an object', 'a workflow'],
  ])('refuses %s, as registration does', (_, definition) => {
    // As it would be sent.
    const sent = JSON.parse(JSON.stringify(definition));
    expect(validate(sent)).toBe(false);
    expect(parseDefinition(sent)).toMatchObject({ ok: false });
  });
});
