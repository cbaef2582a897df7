// Command shape prints the structure of the module and fails where it breaks a house rule:
//
//	go run ./.ci/shape [-v]
//
// It prints every package with its size and its imports within the module, lowest first, then the ten longest functions
// and files. It fails on an import that points upward (see order.txt), on a circle between the files of a package, on a
// package above 25 files or 3,000 lines, on a function above 60 lines, on a file above 350 lines, and on a line above
// 120 columns. Tests count for the last rule only.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	verbose := flag.Bool("v", false, "print the names behind every arrow between the files of a package")
	flag.Parse()
	problems, err := check(*verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "shape:", err)
		os.Exit(1)
	}
	for _, p := range problems {
		fmt.Println("PROBLEM", p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// check loads the module, prints its structure and returns what breaks a rule.
func check(verbose bool) (problems []string, err error) {
	packages, err := load()
	if err != nil {
		return nil, err
	}
	problems, err = checkOrder(packages)
	if err != nil {
		return nil, err
	}
	for _, p := range packages {
		arrows, err := p.arrows()
		if err != nil {
			return nil, err
		}
		for _, circle := range arrows.circles() {
			problems = append(problems, fmt.Sprintf("%s: the files %v use each other in a circle", p.name, circle))
		}
		if verbose {
			arrows.print(p.name)
		}
	}
	sizes, err := measure(packages)
	if err != nil {
		return nil, err
	}
	return append(problems, sizes...), nil
}
