package pretrained

import "github.com/bfpo-go/bfpo/mistral/config"

// EndTokens returns the tokens at which generation stops: those of config.json, those of generation_config.json and
// those of AddEndTokens.
func (c *Model) EndTokens() []int32 {
	return config.Union(c.Config.EOSTokenIDs, c.generationEnds, c.taughtEnds)
}

// AddEndTokens adds the tokens with which training ends an answer, first the one that is written behind every answer.
// Export writes them into the files of a model that was trained.
func (c *Model) AddEndTokens(ids ...int32) { c.taughtEnds = config.Union(c.taughtEnds, ids) }
