import * as z from 'zod';
import type { ManagedAgent } from '../../../shared/application/manage-agents.ts';
import type { Caller } from '../../../shared/auth/caller.ts';
import { agentBody, agentRequestOf, newAgentBody } from '../fields/agent-body.ts';
import { pageLimit, parameterText } from '../fields/request-fields.ts';
import { uuid } from '../fields/response-fields.ts';
import type { Answer } from '../http/answer.ts';
import { ApiError, badRequest, notFound } from '../http/api-error.ts';
import { envelope, pagedEnvelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import { nameCursor } from '../paging/cursor.ts';
import { pageAnswer } from '../paging/page-answer.ts';
import { agent, listedAgent, managedAgent, presentAgent, presentListedAgent } from '../presenters/agent.ts';
import type { ApiServices } from '../services.ts';

/** An agent's id or its name. */
const agentParams = z.strictObject({ agent: parameterText });

const ofAgent = {
  path: '/api/v1/agents/{agent}',
  authentication: 'caller',
  params: agentParams,
  subjectName: 'Agent',
  find: (
    { caller, params }: { caller: Caller; params: z.infer<typeof agentParams> },
    { agents }: ApiServices,
  ) => agents.maybeFindAgent(caller, params.agent),
} as const;

const NOT_YOURS = 'Only an admin may change an agent that is everybody’s';

export const agentRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/agents',
    operationId: 'registerAgent',
    summary: "Registers an agent; an admin's is everybody's",
    operation: {
      tags: ['management'],
      answers: { 201: envelope(managedAgent, { beside: { id: uuid }, headers: ['Location'] }) },
      refusals: {
        PERMISSION_DENIED: 'Only an admin may register agents of kind lambda and kafka.',
        CONFLICT: 'An agent of this name is registered already.',
      },
      bodyExamples: {
        http: { name: 'my-agent', kind: 'http', url: 'https://agents.example.com/mine', timeout_seconds: 30 },
        lambda: {
          name: 'my-lambda-agent',
          kind: 'lambda',
          function_arn: 'arn:aws:lambda:eu-central-1:123456789012:function:my-agent:live',
          example_output: { rows: 3 },
        },
        kafka: { name: 'my-kafka-agent', kind: 'kafka', topic: 'agent.mine' },
      },
    },
    authentication: 'caller',
    body: newAgentBody,
    async handle({ caller, body, audit }, { manageAgents }) {
      const managed = await manageAgents.register(caller, body.name, agentRequestOf(body), audit);
      return managedAnswer(managed, { status: 201, message: 'Agent registered' });
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/v1/agents',
    operationId: 'listAgents',
    summary: "One's own agents and everybody's, by name",
    operation: { tags: ['management'], answers: { 200: pagedEnvelope(listedAgent) } },
    authentication: 'caller',
    query: z.strictObject({
      kind: z.enum(['http', 'lambda', 'kafka'], { error: 'expected one of http, lambda, kafka' }).optional(),
      cursor: nameCursor.optional(),
      limit: pageLimit(100, 1_000),
    }),
    async handle({ caller, query: { kind, cursor, limit } }, { agents }) {
      const page = await agents.listAgents(caller, { kind }, { after: cursor ?? null, limit });
      return pageAnswer('Agents retrieved', page, limit, presentListedAgent);
    },
  }),
  defineRoute({
    ...ofAgent,
    method: 'GET',
    operationId: 'getAgent',
    summary: 'An agent, by id or by name',
    operation: { tags: ['management'], answers: { 200: envelope(agent) } },
    async handle({ subject }) {
      return { status: 200, message: 'Agent retrieved', data: presentAgent(subject) };
    },
  }),
  defineRoute({
    ...ofAgent,
    method: 'PUT',
    operationId: 'updateAgent',
    summary: 'Replaces where an agent is; its secret stays unless a new one is given',
    operation: {
      tags: ['management'],
      answers: { 200: envelope(managedAgent, { beside: { id: uuid }, headers: ['Location'] }) },
      refusals: { PERMISSION_DENIED: `${NOT_YOURS}.` },
      bodyExamples: { http: { kind: 'http', url: 'https://agents.example.com/mine', timeout_seconds: 30 } },
    },
    body: agentBody,
    async handle({ caller, subject, body, audit }, { manageAgents }) {
      refuseIfEverybodys(caller, subject);
      if (body.name !== undefined && body.name !== subject.name) {
        throw badRequest([{ path: 'name', message: `expected ${subject.name}: steps know the agent by it` }]);
      }
      const managed = await manageAgents.update(caller, subject, agentRequestOf(body), audit);
      return managedAnswer(managed, { status: 200, message: 'Agent updated' });
    },
  }),
  defineRoute({
    ...ofAgent,
    method: 'DELETE',
    operationId: 'deleteAgent',
    summary: 'Removes an agent; steps that name it fail from then on',
    operation: {
      tags: ['management'],
      answers: { 200: envelope(z.strictObject({ id: uuid, name: z.string() })) },
      refusals: { PERMISSION_DENIED: `${NOT_YOURS}.` },
    },
    async handle({ caller, subject, audit }, { agents }) {
      refuseIfEverybodys(caller, subject);
      if (!(await agents.deleteAgent(caller, subject.id, audit))) throw notFound('Agent');
      return { status: 200, message: 'Agent deleted', data: { id: subject.id, name: subject.name } };
    },
  }),
];

function refuseIfEverybodys(caller: Caller, { owner }: { readonly owner: string | null }): void {
  if (owner === null && !caller.isAdmin) throw new ApiError('PERMISSION_DENIED', NOT_YOURS);
}

function managedAnswer(
  managed: ManagedAgent,
  { status, message }: Pick<Answer, 'status' | 'message'>,
): Answer {
  if (!managed.ok) {
    switch (managed.code) {
      case 'NAME_TAKEN':
        throw new ApiError('CONFLICT', 'An agent of this name is registered already; PUT changes it');
      case 'KIND_NOT_PERMITTED':
        throw new ApiError('PERMISSION_DENIED', 'Only an admin may register agents of kind lambda and kafka');
      case 'UNKNOWN_AGENT':
        throw notFound('Agent');
    }
  }
  const { id } = managed.agent;
  const data = presentAgent(managed.agent, managed.secret);
  return { status, message, data, beside: { id }, headers: { Location: `/api/v1/agents/${id}` } };
}
