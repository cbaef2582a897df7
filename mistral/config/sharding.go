package config

import (
	"github.com/bfpo-go/bfpo/graph/device"
)

// Sharding lists the tensors that several devices may share, each with a part of the rows: all matrices. Norms are on every device.
func Sharding() device.Rules {
	rules := device.Rules{EmbedTokens, LMHead}
	for _, part := range []string{QProj, KProj, VProj, OProj, GateProj, UpProj, DownProj} {
		rules = append(rules, part+".weight")
	}
	return rules
}
