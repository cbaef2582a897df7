package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/bfpo-go/bfpo/bfpo/bench"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// runBench times the training step on a file of pairs.
func runBench(ctx context.Context, o *options, args []string) error {
	var b bench.Bench
	o.set.StringVar(&b.Pairs, "pairs", "",
		"`file` of pairs: JSON lines of prompt_ids, chosen_ids, rejected_ids, is_chosen_safe and is_rejected_safe")
	o.set.IntVar(&b.Batch, "batch", 0,
		"`pairs` in a step; a file with exactly one batch is repeated, a longer file is read once")
	o.set.IntVar(&b.Steps, "steps", 0,
		"timed `steps` of a repeated batch (default 7), or the number of batches of a longer file (default all)")
	check := o.set.Bool("check", false, "fail if the losses differ from the losses of the PyTorch and JAX programs")
	if err := o.parse(args); err != nil {
		return err
	}
	if b.Pairs == "" || b.Batch == 0 {
		return usage.Errorf("bench needs -pairs=FILE and -batch=PAIRS")
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	if len(c.Stages) > 0 {
		return usage.Errorf("recipe %q has stages, but bench times the steps of a single stage: "+
			"choose a recipe without stages, or leave -config out", o.config)
	}
	var peers bench.PeerLosses
	if *check {
		if peers, err = bench.FindPeerLosses(b); err != nil {
			return err
		}
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	if !o.quiet {
		rt.Out = o.std.err // standard output has the result only
	}
	result, err := b.Run(ctx, rt, c)
	if err != nil {
		return err
	}
	if *check {
		err = o.check(peers, result)
	}
	return errors.Join(err, writeLine(o.std.out, result))
}

// check compares the losses with the losses of the peers and logs how much they differ.
func (o *options) check(peers bench.PeerLosses, r bench.Result) error {
	worst, allowed, err := peers.Compare(r)
	if err == nil {
		o.log().Info(fmt.Sprintf("the losses of %d steps agree with the peers' losses: the largest relative difference "+
			"is %.1e (allowed: %g)", len(r.Losses), worst, allowed))
	}
	return err
}
