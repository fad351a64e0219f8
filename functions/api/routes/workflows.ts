import * as z from 'zod';
import type { Viewer } from '../../../shared/application/permissions.ts';
import type { RegisteredWorkflow } from '../../../shared/application/register-workflow.ts';
import type { WorkflowDefinition } from '../../../shared/definition/workflow-definition.ts';
import { definitionExamples } from '../documents/examples.ts';
import { definitionBody } from '../fields/definition-body.ts';
import { idParam, pageLimit, parameterText } from '../fields/request-fields.ts';
import { uuid } from '../fields/response-fields.ts';
import type { Answer } from '../http/answer.ts';
import { ApiError, notFound } from '../http/api-error.ts';
import { envelope, pagedEnvelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import { timeCursor } from '../paging/cursor.ts';
import { pageAnswer } from '../paging/page-answer.ts';
import { warningsMeta } from '../presenters/warnings.ts';
import {
  archivedWorkflow,
  presentWorkflow,
  presentWorkflowSummary,
  workflow,
  workflowSummary,
} from '../presenters/workflow.ts';
import { type DefinitionJudges, warningsOf } from './definition-warnings.ts';
import { findManageable } from './find-permitted.ts';

const registeredEnvelope = envelope(workflow, {
  meta: warningsMeta,
  beside: { id: uuid },
  headers: ['Location'],
});

export const workflowRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/workflows',
    operationId: 'registerWorkflow',
    summary: 'Registers a workflow; the same name again adds a version',
    operation: {
      tags: ['runs'],
      description:
        'The definition is checked: dangling and unreachable steps, loops without a way out, mappings that read what cannot be there, paths that do not parse.',
      answers: { 201: registeredEnvelope },
      bodyExamples: definitionExamples,
    },
    authentication: 'caller',
    body: definitionBody,
    async handle({ caller, body, audit }, services) {
      const registered = await services.registerWorkflow.register(caller, body, audit);
      return registeredAnswer(registered, { caller, body, status: 201 }, services);
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/v1/workflows',
    operationId: 'listWorkflows',
    summary: 'Workflows, newest first',
    operation: { tags: ['runs'], answers: { 200: pagedEnvelope(workflowSummary) } },
    authentication: 'caller',
    query: z.strictObject({
      name: parameterText.optional(),
      cursor: timeCursor.optional(),
      limit: pageLimit(100, 1_000),
    }),
    async handle({ caller, query: { name, cursor, limit } }, { workflows }) {
      const page = await workflows.listWorkflows(caller, { name }, { after: cursor ?? null, limit });
      return pageAnswer('Workflows retrieved', page, limit, presentWorkflowSummary);
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/v1/workflows/{id}',
    operationId: 'getWorkflow',
    summary: 'A workflow with the definition of its newest version',
    operation: { tags: ['runs'], answers: { 200: envelope(workflow, { beside: { id: uuid } }) } },
    authentication: 'caller',
    params: idParam,
    subjectName: 'Workflow',
    find: ({ caller, params }, { workflows }) => workflows.maybeFindWorkflow(caller, params.id),
    async handle({ subject }) {
      const data = presentWorkflow(subject, subject.definition);
      return { status: 200, message: 'Workflow retrieved', data, beside: { id: subject.id } };
    },
  }),
  defineRoute({
    method: 'PUT',
    path: '/api/v1/workflows/{id}',
    operationId: 'replaceWorkflow',
    summary: 'Adds a version; its name may be a new one',
    operation: {
      tags: ['runs'],
      answers: { 200: registeredEnvelope },
      refusals: {
        PERMISSION_DENIED: 'Only its owner may change this workflow.',
        CONFLICT: 'Another workflow of this owner has this name.',
      },
      bodyExamples: definitionExamples,
    },
    authentication: 'caller',
    params: idParam,
    body: definitionBody,
    subjectName: 'Workflow',
    find: ({ caller, params }, services) => findManageable(caller, params.id, services),
    async handle({ caller, params, body, audit }, services) {
      const registered = await services.registerWorkflow.replace(caller, params.id, body, audit);
      return registeredAnswer(registered, { caller, body, status: 200 }, services);
    },
  }),
  defineRoute({
    method: 'DELETE',
    path: '/api/v1/workflows/{id}',
    operationId: 'deleteWorkflow',
    summary: 'Archives a workflow; its runs stay, and go on; its permissions and its pause end',
    operation: {
      tags: ['runs'],
      answers: { 200: envelope(archivedWorkflow, { beside: { id: uuid } }) },
      refusals: { PERMISSION_DENIED: 'Only its owner may change this workflow.' },
    },
    authentication: 'caller',
    params: idParam,
    subjectName: 'Workflow',
    find: ({ caller, params }, services) => findManageable(caller, params.id, services),
    async handle({ caller, params, audit }, { workflows, setWorkflowPaused }) {
      const archivedAt = await workflows.archiveWorkflow(caller, params.id, audit);
      if (!archivedAt) throw notFound('Workflow', 'WORKFLOW_NOT_FOUND');
      // Its pause ended with it, and nobody could resume it any more: what that held goes on.
      await setWorkflowPaused(caller, params.id, false, audit);
      const data = { id: params.id, archived_at: archivedAt.toISOString() };
      return { status: 200, message: 'Workflow deleted', data, beside: { id: params.id } };
    },
  }),
];

async function registeredAnswer(
  registered: RegisteredWorkflow,
  {
    caller,
    body,
    status,
  }: { readonly caller: Viewer; readonly body: WorkflowDefinition; readonly status: 200 | 201 },
  services: DefinitionJudges,
): Promise<Answer> {
  if (!registered.ok) {
    switch (registered.code) {
      case 'UNKNOWN_WORKFLOW':
        throw notFound('Workflow', 'WORKFLOW_NOT_FOUND');
      case 'NAME_TAKEN':
        throw new ApiError('CONFLICT', 'Another workflow of this owner has this name');
    }
  }
  const { id, version, owner } = registered.workflow;
  return {
    status,
    message: `Version ${version} of the workflow registered`,
    data: presentWorkflow(registered.workflow, body),
    meta: { warnings: await warningsOf(caller, owner, body, services) },
    beside: { id },
    headers: { Location: `/api/v1/workflows/${id}` },
  };
}
