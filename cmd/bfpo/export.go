package main

import (
	"context"
	"fmt"

	"github.com/bfpo-go/bfpo/bfpo/pipeline"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// runExport writes a model, run or checkpoint as a Hugging Face folder.
func runExport(ctx context.Context, o *options, args []string) error {
	if err := o.parse(args); err != nil {
		return err
	}
	if o.out == "" {
		return usage.Errorf("no output folder: give -out=DIR")
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	if err := pipeline.Export(ctx, c, o.out, o.hub(), o.log(), version()); err != nil {
		return err
	}
	fmt.Fprintln(o.std.out, o.out)
	return nil
}
