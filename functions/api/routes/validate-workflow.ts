import * as z from 'zod';
import { definitionExamples } from '../documents/examples.ts';
import { definitionBody } from '../fields/definition-body.ts';
import { envelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import { warnings } from '../presenters/warnings.ts';
import { warningsOf } from './definition-warnings.ts';

export const validateWorkflowRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/workflows/validate',
    operationId: 'validateWorkflow',
    summary: 'Checks a definition as registering it does, and stores nothing',
    operation: {
      tags: ['runs'],
      description:
        'Everything that is wrong is told at once, each with its path and what was expected. What is right and yet does nothing, or not what it seems to, is a warning; so is an agent or a workflow that its steps name and that is not registered.',
      answers: { 200: envelope(z.strictObject({ valid: z.literal(true), warnings })) },
      bodyExamples: definitionExamples,
    },
    authentication: 'caller',
    scope: 'read',
    body: definitionBody,
    async handle({ caller, body }, services) {
      const data = { valid: true, warnings: await warningsOf(caller, caller.userId, body, services) };
      return { status: 200, message: 'The definition is valid', data };
    },
  }),
];
