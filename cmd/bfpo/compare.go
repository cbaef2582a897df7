package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/compare"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// comparisonName is the page in the folder that compare fills.
const comparisonName = "comparison.html"

// runCompare puts evaluations side by side.
func runCompare(_ context.Context, o *options, args []string) error {
	safety := o.set.String("safety", strings.Join(compare.Safety(), ","), "`tasks` of the chart's safety axis")
	helpfulness := o.set.String("helpfulness", strings.Join(compare.Helpfulness(), ","), "`tasks` of the chart's helpfulness axis")
	folders, err := o.parseFlags(args)
	if err == nil {
		err = o.setUp()
	}
	if err != nil {
		return err
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	if len(folders) == 0 {
		return usage.Errorf("no folders: bfpo compare DIR DIR, of evaluations (`bfpo eval -out=DIR`) or of runs")
	}
	models, err := compare.Open(folders)
	if err != nil {
		return err
	}
	comparison, err := compare.Compare(models, names(*safety), names(*helpfulness))
	if err != nil {
		return err
	}
	path := filepath.Join(output(c, "compare"), comparisonName)
	if _, err := os.Stat(path); err == nil && !c.OverwriteOutputDir {
		return usage.Errorf("%s is there already: choose another -out, or replace it with -set=overwrite_output_dir=true", path)
	}
	if _, err := comparison.WriteTo(o.std.out); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	if err := compare.WritePage(path, comparison, version()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.std.out, "\npage  %s\n", path)
	return err
}

// names are the parts of a list with commas.
func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
