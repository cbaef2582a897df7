package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/compare"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// comparisonName is the page in the output folder.
const comparisonName = "comparison.html"

// runCompare compares evaluations or runs in a table and on a page.
func runCompare(_ context.Context, o *options, args []string) error {
	safety := o.set.String("safety", strings.Join(compare.DefaultSafetyTasks(), ","),
		"`tasks` of the safety axis of the chart, separated by commas")
	helpfulness := o.set.String("helpfulness", strings.Join(compare.DefaultHelpfulnessTasks(), ","),
		"`tasks` of the helpfulness axis of the chart, separated by commas")
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
		return usage.Errorf("no folders: give the folders of evaluations (`bfpo eval -out=DIR`) or of runs")
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
	if err := refuseExisting(path, c); err != nil {
		return err
	}
	release, err := claim(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer release()
	if _, err := comparison.WriteTo(o.std.out); err != nil {
		return err
	}
	if err := compare.WritePage(path, comparison, version()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.std.out, "\npage  %s\n", path)
	return err
}

// names splits a list at its commas.
func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
