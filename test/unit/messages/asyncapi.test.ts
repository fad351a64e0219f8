import { readFileSync } from 'node:fs';
import asyncApi from '@asyncapi/specs/schemas/3.0.0.json' with { type: 'json' };
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { topicsFor } from '../../../shared/config/topics.ts';
import { asyncApiDocument } from '../../../shared/messages/asyncapi-document.ts';
import { messageExamples } from '../../../shared/messages/message-examples.ts';
import * as schemas from '../../../shared/messages/messages.ts';
import { newValidator } from '../../support/schema-validator.ts';

const document = asyncApiDocument();
const byType = new Map(Object.values(schemas).flatMap(typedSchema));

/** Of what `messages.ts` exports, those that are messages. */
function typedSchema(schema: unknown): [string, z.ZodType][] {
  if (!(schema instanceof z.ZodObject)) return [];
  const type: unknown = schema.shape.message_type;
  return type instanceof z.ZodLiteral ? [[String(type.value), schema]] : [];
}

describe('the AsyncAPI document', () => {
  it('is one, by the standard’s own schema', () => {
    // It brings draft-07's own schema along.
    const validate = new Ajv({
      strict: false,
      validateFormats: false,
      meta: false,
      validateSchema: false,
    }).compile(asyncApi);
    validate(JSON.parse(JSON.stringify(document)));
    expect(validate.errors ?? null).toBeNull();
    expect(validate({ ...document, channels: { a: { address: 1 } } })).toBe(false);
  });

  it('is as committed', () => {
    const committed = readFileSync(
      new URL('../../../shared/messages/asyncapi.yaml', import.meta.url),
      'utf8',
    );
    expect(parse(committed)).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it('has every topic', () => {
    const topics = topicsFor({
      prefix: '',
      executionTopic: 'workflow.execution.requests',
      cancellationTopic: 'workflow.cancellation.requests',
    });
    const addresses = Object.values(document.channels).map(({ address }) => address);
    expect(addresses.sort()).toEqual([...Object.values(topics), 'agent.{name}'].sort());
  });

  it('has every message, each on a channel', () => {
    expect(Object.keys(document.components.messages).sort()).toEqual([...byType.keys()].sort());
    const carried = Object.values(document.channels).flatMap(({ messages }) => Object.keys(messages));
    expect([...new Set(carried)].sort()).toEqual([...byType.keys()].sort());
  });
});

describe.each(Object.entries(messageExamples))('the example of %s', (type, example) => {
  const payload = document.components.messages[type]!.payload;

  it('parses as what it is', () => {
    expect(byType.get(type)!.parse(example)).toEqual(example);
  });

  it('is taken by the schema in the document, with a field more too; without its run or reason it is not', () => {
    const validate = newValidator().compile(payload);
    expect(validate(example)).toBe(true);
    expect(validate({ ...example, trace_id: 'x' })).toBe(true);
    expect(validate({ ...example, message_type: 'another' })).toBe(false);
    expect(validate({ message_type: type })).toBe(false);
  });
});
