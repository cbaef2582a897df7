package bfpo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/mistral/edit"
)

// UsageError is a wrong flag or a wrong recipe: something the user has to change before anything can run. The program exits with 2.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a *UsageError as fmt.Errorf makes an error.
func Usagef(format string, args ...any) error {
	return &UsageError{fmt.Errorf(format, args...)}
}

// usage is the error that a key's value has, with the place where it was given.
func (c Config) usage(key, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if place := c.Place(key); place != "" {
		return Usagef("%s: %s: %s", place, key, text)
	}
	return Usagef("%s: %s (not given; this is its default)", key, text)
}

// Nearest is the known name most like the given one, by edits of one letter, or "" where none is near.
func Nearest(name string, known []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, k := range known {
		if d := edit.Distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// didYouMean is the tail of an error about an unknown name.
func didYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// oneOf lists choices for an error message, as "a, b or c".
func oneOf(choices []string) string {
	if len(choices) < 2 {
		return strings.Join(choices, "")
	}
	last := len(choices) - 1
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// recipeKeys lists all keys a recipe may have, for suggestions.
func recipeKeys() []string {
	keys := []string{"other_data_config", "model_revision"}
	for _, f := range recipeFields(&Config{}) {
		keys = append(keys, f.key)
	}
	for key := range inertKeys {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
