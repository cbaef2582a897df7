package chat

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// checkTemplate refuses in advance what a budget cannot stop at run time: single expressions that grow without end,
// deep nesting, and recursion.
func checkTemplate(source string, settings *config.Config) error {
	if len(source) > maxSource {
		return fmt.Errorf("it has %d bytes, more than %d", len(source), maxSource)
	}
	var tag tagCheck
	stream := tokens.LexAll(source, settings)
	for ; !stream.End(); stream.Next() {
		if err := tag.next(stream.Current()); err != nil {
			return fmt.Errorf("line %d: %w", stream.Current().Line, err)
		}
	}
	if stream.IsError() {
		at := min(stream.Current().Pos, len(source))
		line := 1 + strings.Count(source[:at], "\n")
		return fmt.Errorf("line %d: a string or tag is not closed, or a character does not belong there", line)
	}
	return nil
}

// tagCheck follows the tokens of a template; all but open is about the tag that it is in.
type tagCheck struct {
	block             string // the name of a {% %} tag
	assigns, afterDot bool
	length, joins     int // its tokens; how many of them are + or ~
	open              int // blocks that have begun and not ended
}

// next takes the next token.
func (c *tagCheck) next(token *tokens.Token) error {
	c.length++
	afterDot := c.afterDot
	c.afterDot = token.Type == tokens.Dot
	switch token.Type {
	case tokens.BlockBegin, tokens.VariableBegin:
		*c = tagCheck{open: c.open}
	case tokens.BlockEnd:
		return c.closeBlock()
	case tokens.Multiply, tokens.Power:
		return fmt.Errorf("the operator %s is not supported in chat templates", token.Val)
	case tokens.Addition, tokens.Tilde:
		c.joins++
	case tokens.Assign:
		c.assigns = true
	case tokens.Name:
		if c.block == "" && c.length == 1 {
			c.block = token.Val
		}
		if afterDot && strings.HasPrefix(token.Val, "_") {
			return fmt.Errorf("the attribute %s is not allowed", token.Val)
		}
		if c.block == "for" && token.Val == "recursive" {
			return errors.New("recursive loops are not supported in chat templates")
		}
	}
	if c.joins > maxJoins || c.length > maxTagTokens && token.Type != tokens.Data {
		return fmt.Errorf("a tag has more than %d joins or %d tokens", maxJoins, maxTagTokens)
	}
	return nil
}

// closeBlock counts the blocks that are open after a {% %} tag.
func (c *tagCheck) closeBlock() error {
	switch c.block {
	case "if", "for", "macro", "generation":
		c.open++
	case "set":
		if !c.assigns { // {% set x %}…{% endset %}
			c.open++
		}
	default:
		if strings.HasPrefix(c.block, "end") {
			c.open--
		}
	}
	if c.open > maxBlocks {
		return fmt.Errorf("blocks nest deeper than %d", maxBlocks)
	}
	return nil
}
