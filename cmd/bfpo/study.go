package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/study"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// runStudy trains a model in several ways and compares the results.
func runStudy(ctx context.Context, o *options, args []string) error {
	if err := o.parse(args); err != nil {
		return err
	}
	files, err := recipes()
	if err != nil {
		return err
	}
	c, s, err := recipe.LoadStudy(files, o.config, o.sets, o.keyFlags()...)
	if err != nil {
		return err
	}
	if r := c.ResumeFromCheckpoint; r != recipe.On && r != recipe.Off {
		return usage.Errorf("resume_from_checkpoint=%s names a checkpoint of one run: "+
			"with true, the study continues with all of its runs", r)
	}
	dir := output(c, o.config)
	if err := refuseExisting(filepath.Join(dir, study.ResultFile), c); err != nil {
		return err
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	release, err := claim(dir)
	if err != nil {
		return err
	}
	defer release()
	result, err := study.Run(ctx, rt, c, s, dir)
	if err != nil {
		return o.addResumeHint(err, dir)
	}
	if _, err := result.WriteTo(rt.Results); err != nil {
		return err
	}
	_, err = fmt.Fprintf(rt.Results, "\npage     %s\nresult   %s\n", filepath.Join(dir, study.PageFile),
		filepath.Join(dir, study.ResultFile))
	return err
}
