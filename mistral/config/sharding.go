package config

import (
	"github.com/bfpo-go/bfpo/graph/device"
)

// ShardingRules lists the tensors that a mesh may shard by rows: all matrices. The norms are replicated on every
// device.
func ShardingRules() device.ShardRules {
	rules := device.ShardRules{EmbedTokens, LMHead}
	for _, part := range []string{QProj, KProj, VProj, OProj, GateProj, UpProj, DownProj} {
		rules = append(rules, part+".weight")
	}
	return rules
}
