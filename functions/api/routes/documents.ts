import * as z from 'zod';
import { DOCS_SECURITY_POLICY } from '../documents/docs-page.ts';
import { defineRoute } from '../http/route.ts';

const anyObject = z.record(z.string(), z.unknown());

export const documentRoutes = [
  defineRoute({
    method: 'GET',
    path: '/openapi.json',
    operationId: 'getOpenApi',
    summary: 'This API as OpenAPI 3.1',
    operation: {
      tags: ['service'],
      answers: { 200: { schema: anyObject, example: { openapi: '3.1.1' } } },
      hasETag: true,
    },
    authentication: 'none',
    async handle(_request, { documents }) {
      const contentType = 'application/json; charset=utf-8';
      return { status: 200, text: documents.openApi(), contentType, isPublic: true };
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/docs',
    operationId: 'getDocs',
    summary: 'This API as a page to read',
    operation: {
      tags: ['service'],
      answers: { 200: { schema: z.string(), contentType: 'text/html', example: '<!doctype html>' } },
      hasETag: true,
    },
    authentication: 'none',
    async handle(_request, { documents }) {
      return {
        status: 200,
        text: documents.page(),
        contentType: 'text/html; charset=utf-8',
        headers: { 'Content-Security-Policy': DOCS_SECURITY_POLICY },
        isPublic: true,
      };
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/schemas/workflow.json',
    operationId: 'getWorkflowSchema',
    summary: 'The JSON Schema (2020-12) of a workflow definition',
    operation: {
      tags: ['service'],
      answers: {
        200: {
          schema: anyObject,
          contentType: 'application/schema+json',
          example: { $schema: 'https://json-schema.org/draft/2020-12/schema' },
        },
      },
      hasETag: true,
    },
    authentication: 'none',
    async handle(_request, { documents }) {
      const contentType = 'application/schema+json; charset=utf-8';
      return { status: 200, text: documents.workflowSchema(), contentType, isPublic: true };
    },
  }),
];
