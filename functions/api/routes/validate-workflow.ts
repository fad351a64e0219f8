import * as z from 'zod';
import { definitionBody } from '../definition-body.ts';
import { definitionExamples } from '../examples.ts';
import { envelope } from '../operation.ts';
import { defineRoute } from '../route.ts';

export const validateWorkflowRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/workflows/validate',
    operationId: 'validateWorkflow',
    summary: 'Checks a definition as registering it does, and stores nothing',
    operation: {
      tags: ['runs'],
      description: 'Everything that is wrong is told at once, each with its path and what was expected.',
      answers: { 200: envelope(z.strictObject({ valid: z.literal(true) })) },
      bodyExamples: definitionExamples,
    },
    authentication: 'caller',
    scope: 'read',
    body: definitionBody,
    async handle() {
      return { status: 200, message: 'The definition is valid', data: { valid: true } };
    },
  }),
];
