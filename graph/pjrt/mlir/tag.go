package mlir

import "strings"

// TagPrefix begins a tag: the suffix of a program's name that is unique to one compilation.
const TagPrefix = "__bfpo"

// RemoveTag takes the tag out of the name of the module in text. It returns the text without it, the module's name
// without it, and the tag ("" if there is none). Text without tags is the same in every process, as a key of the
// program cache must be.
func RemoveTag(text string) (untagged, name, tag string) {
	const module = "module @"
	start := strings.Index(text, module)
	if start < 0 {
		return text, "", ""
	}
	start += len(module)
	length := strings.IndexAny(text[start:], " {\n")
	if length < 0 {
		return text, "", ""
	}
	name, tag = SplitTag(text[start : start+length])
	return text[:start+len(name)] + text[start+len(name)+len(tag):], name, tag
}

// SplitTag splits a name into the part before its tag and the tag ("" if there is none).
func SplitTag(tagged string) (name, tag string) {
	if at := strings.LastIndex(tagged, TagPrefix); at >= 0 {
		return tagged[:at], tagged[at:]
	}
	return tagged, ""
}
