package main

import (
	"context"
	"errors"

	"github.com/bfpo-go/bfpo/bfpo/bench"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

func runBench(ctx context.Context, o *options, args []string) error {
	var b bench.Bench
	o.set.StringVar(&b.Pairs, "pairs", "", "`file` of pairs: JSON lines of prompt_ids, chosen_ids, rejected_ids, is_chosen_safe, is_rejected_safe")
	o.set.IntVar(&b.Batch, "batch", 0, "`pairs` in a step; a file of just so many is repeated, a longer one is gone through once")
	o.set.IntVar(&b.Steps, "steps", 0, "timed `steps` of a repeated batch (7 when not given), or the first batches of a longer file (all)")
	check := o.set.Bool("check", false, "fail when the losses are not those of the programs in PyTorch and JAX")
	if err := o.parse(args); err != nil {
		return err
	}
	if b.Pairs == "" || b.Batch == 0 {
		return usage.Errorf("bench wants -pairs=FILE and -batch=PAIRS")
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	if len(c.Stages) > 0 {
		return usage.Errorf("recipe %q has stages: bench times the steps of one; name a recipe without stages, or none for the peers' settings", o.config)
	}
	var peers peerLosses
	if *check {
		if peers, err = findPeerLosses(b); err != nil {
			return err
		}
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	if !o.quiet {
		rt.Out = o.std.err // standard output is the result's
	}
	result, err := b.Run(ctx, rt, c)
	if err != nil {
		return err
	}
	if *check {
		err = o.compare(peers, result)
	}
	return errors.Join(err, writeLine(o.std.out, result))
}

// compare says how near the losses are to the peers'.
func (o *options) compare(peers peerLosses, r bench.Result) error {
	worst, allowed, err := peers.compare(r)
	if err == nil {
		o.log("the losses of %d steps are the peers': they differ by %.1e of the loss at most (allowed: %g)", len(r.Losses), worst, allowed)
	}
	return err
}
