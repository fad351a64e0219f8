import type { AnyRoute } from '../http/route.ts';
import { agentRoutes } from './agents.ts';
import { apiKeyRoutes } from './api-keys.ts';
import { auditRoutes } from './audit.ts';
import { callbackRoutes } from './callbacks.ts';
import { comparisonRoutes } from './compare-executions.ts';
import { documentRoutes } from './documents.ts';
import { executeRoutes } from './execute.ts';
import { executionRoutes } from './executions.ts';
import { healthRoutes } from './health.ts';
import { operatorMetricsRoutes } from './operator-metrics.ts';
import { pauseRoutes } from './pauses.ts';
import { permissionRoutes } from './permissions.ts';
import { plainRoutes } from './plain.ts';
import { runActionRoutes } from './run-actions.ts';
import { runBatchRoutes } from './run-batches.ts';
import { runRoutes } from './runs.ts';
import { signalRoutes } from './signals.ts';
import { testWorkflowRoutes } from './test-workflow.ts';
import { validateWorkflowRoutes } from './validate-workflow.ts';
import { workflowMetricsRoutes } from './workflow-metrics.ts';
import { workflowRoutes } from './workflows.ts';

export const allRoutes: readonly AnyRoute[] = [
  ...workflowRoutes,
  ...validateWorkflowRoutes,
  ...workflowMetricsRoutes,
  ...permissionRoutes,
  ...executeRoutes,
  ...testWorkflowRoutes,
  ...executionRoutes,
  ...comparisonRoutes,
  ...plainRoutes,
  ...runRoutes,
  ...runActionRoutes,
  ...pauseRoutes,
  ...signalRoutes,
  ...runBatchRoutes,
  ...agentRoutes,
  ...apiKeyRoutes,
  ...auditRoutes,
  ...callbackRoutes,
  ...healthRoutes,
  ...operatorMetricsRoutes,
  ...documentRoutes,
];
