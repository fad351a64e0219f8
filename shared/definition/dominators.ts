import { type Graph, reversed } from './strong-components.ts';

/** Whether every way from the root to `node` comes by `other`, which may be the node itself; false where no way leads to it. */
export type Dominates = (other: number, node: number) => boolean;

/**
 * Lengauer and Tarjan's algorithm, with path compression: near-linear, and without recursion, since the graph is as deep as its
 * author likes.
 */
export function dominatorsFrom(root: number, next: Graph): Dominates {
  const { preorder, order, parent } = depthFirst(root, next);
  const before = reversed(next);
  // By place in the preorder, in which the root is 0.
  const semi = preorder.map((_, i) => i);
  const best = preorder.map((_, i) => i);
  const ancestor: number[] = preorder.map(() => -1);
  const idom: number[] = preorder.map(() => 0);
  const bucket: number[][] = preorder.map(() => []);

  function evaluate(node: number): number {
    const path: number[] = [];
    for (let at = node; ancestor[at] !== -1 && ancestor[ancestor[at]!] !== -1; at = ancestor[at]!)
      path.push(at);
    for (let at = path.pop(); at !== undefined; at = path.pop()) {
      const above = ancestor[at]!;
      if (semi[best[above]!]! < semi[best[at]!]!) best[at] = best[above]!;
      ancestor[at] = ancestor[above]!;
    }
    return best[node]!;
  }

  for (let i = preorder.length - 1; i > 0; i--) {
    for (const from of before[preorder[i]!]!) {
      const place = order[from]!;
      if (place !== -1) semi[i] = Math.min(semi[i]!, semi[evaluate(place)]!);
    }
    bucket[semi[i]!]!.push(i);
    const above = parent[i]!;
    ancestor[i] = above;
    for (const node of bucket[above]!) {
      const least = evaluate(node);
      idom[node] = semi[least]! < semi[node]! ? least : above;
    }
    bucket[above] = [];
  }
  for (let i = 1; i < preorder.length; i++) {
    if (idom[i] !== semi[i]) idom[i] = idom[idom[i]!]!;
  }

  const children: number[][] = preorder.map(() => []);
  for (let i = 1; i < preorder.length; i++) children[idom[i]!]!.push(i);
  const span = spansOf(children);
  return (other, node) => {
    const [above, below] = [span[order[other]!], span[order[node]!]];
    return (
      above !== undefined && below !== undefined && above.first <= below.first && below.last <= above.last
    );
  };
}

/** The nodes that the root leads to in the order of a depth-first walk, each one's place in it (or -1), and its parent's place. */
function depthFirst(root: number, next: Graph) {
  const preorder: number[] = [];
  const parent: number[] = [];
  const order: number[] = next.map(() => -1);
  const open = [{ node: root, from: -1 }];
  for (let visit = open.pop(); visit !== undefined; visit = open.pop()) {
    const { node, from } = visit;
    if (order[node] !== -1) continue;
    order[node] = preorder.length;
    parent.push(from);
    preorder.push(node);
    for (const to of next[node]!) if (order[to] === -1) open.push({ node: to, from: order[node]! });
  }
  return { preorder, order, parent };
}

interface Span {
  readonly first: number;
  readonly last: number;
}

/** Of each node of a tree with root 0, the span of numbers that it and all below it have. */
function spansOf(children: Graph): readonly Span[] {
  const spans: Span[] = [];
  const first: number[] = [];
  let count = 0;
  const open = children.length === 0 ? [] : [0];
  for (let node = open.at(-1); node !== undefined; node = open.at(-1)) {
    if (first[node] === undefined) {
      first[node] = count++;
      open.push(...children[node]!);
    } else {
      open.pop();
      spans[node] = { first: first[node]!, last: count - 1 };
    }
  }
  return spans;
}
