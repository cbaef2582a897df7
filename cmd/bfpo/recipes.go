package main

import (
	"embed"
	"io/fs"
)

//go:embed recipes
var recipeFiles embed.FS

// recipes returns the built-in recipes. The recipe zephyr-7b/bfpo is the file zephyr-7b/bfpo.yaml.
func recipes() (fs.FS, error) { return fs.Sub(recipeFiles, "recipes") }
