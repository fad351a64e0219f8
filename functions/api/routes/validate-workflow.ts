import * as z from 'zod';
import { findWarnings } from '../../../shared/definition/warnings/find-warnings.ts';
import { definitionBody } from '../definition-body.ts';
import { definitionExamples } from '../examples.ts';
import { envelope } from '../operation.ts';
import { warnings } from '../presenters/warnings.ts';
import { defineRoute } from '../route.ts';

export const validateWorkflowRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/workflows/validate',
    operationId: 'validateWorkflow',
    summary: 'Checks a definition as registering it does, and stores nothing',
    operation: {
      tags: ['runs'],
      description:
        'Everything that is wrong is told at once, each with its path and what was expected. What is right and yet does nothing, or not what it seems to, is a warning.',
      answers: { 200: envelope(z.strictObject({ valid: z.literal(true), warnings })) },
      bodyExamples: definitionExamples,
    },
    authentication: 'caller',
    scope: 'read',
    body: definitionBody,
    async handle({ body }, { runLimits }) {
      const data = { valid: true, warnings: findWarnings(body, runLimits) };
      return { status: 200, message: 'The definition is valid', data };
    },
  }),
];
