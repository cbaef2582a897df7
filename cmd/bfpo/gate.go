package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/gate"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// gateName is the result in the output folder.
const gateName = "gate.json"

// runGate decides whether one model may take the place of another.
func runGate(ctx context.Context, o *options, args []string) error {
	asJSON := o.set.Bool("json", false, "print one JSON object instead of a table")
	pair, err := o.parseFlags(args)
	if err == nil {
		err = o.setUp()
	}
	if err != nil {
		return err
	}
	if len(pair) != 2 || o.model != "" {
		return usage.Errorf("want two models, the one before and the one after: bfpo gate BEFORE AFTER")
	}
	files, err := recipes()
	if err != nil {
		return err
	}
	c, g, err := recipe.LoadGate(files, o.config, o.sets, o.keyFlags()...)
	if err != nil {
		return err
	}
	dir := output(c, "gate")
	path := filepath.Join(dir, gateName)
	if err := refuseExisting(path, c); err != nil {
		return err
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	if !o.quiet {
		rt.Out = o.std.err // standard output has the result only
	}
	release, err := claim(dir)
	if err != nil {
		return err
	}
	defer release()
	result, err := gate.Run(ctx, rt, c, g, pair[0], pair[1], dir)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(path, func(w io.Writer) error { return writeLine(w, result) }); err != nil {
		return err
	}
	return o.showGate(result, *asJSON)
}

// showGate prints the result of a gate. A model that must not ship is an error with a line for each reason.
func (o *options) showGate(result gate.Result, asJSON bool) error {
	var err error
	if asJSON {
		err = writeLine(o.std.out, result)
	} else {
		_, err = result.WriteTo(o.std.out)
	}
	if err == nil && !result.Pass {
		err = errors.New("the model does not pass the gate:\n  " + strings.Join(result.Reasons, "\n  "))
	}
	if err != nil {
		return fmt.Errorf("gate: %w", err)
	}
	return nil
}
