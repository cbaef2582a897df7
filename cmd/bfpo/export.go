package main

import (
	"context"
	"fmt"

	"github.com/bfpo-go/bfpo/bfpo/pipeline"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

func runExport(ctx context.Context, o *options, args []string) error {
	adapter := o.set.Bool("adapter", false, "write a PEFT adapter instead of a merged model")
	if err := o.parse(args); err != nil {
		return err
	}
	switch {
	case *adapter:
		return usage.Errorf("-adapter: not supported yet: training with adapters (use_peft) is not built")
	case o.out == "":
		return usage.Errorf("no output folder: -out=DIR")
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	if err := pipeline.Export(ctx, c, o.out, o.hub(), o.log); err != nil {
		return err
	}
	fmt.Fprintln(o.std.out, o.out)
	return nil
}
