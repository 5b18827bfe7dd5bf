package cases

import "path/filepath"

// briefFigures runs the measuring test of briefs: whether answers survive compression, time and memory.
func briefFigures(s *Settings) ([]Bar, error) {
	return measuredBy(s, "brief figures", "./internal/routing/compress", "TestFigures", []string{"WEIR_FIGURES=1"})
}

// briefTalks sends 100,000 random conversations into brief layers, on all cores.
func briefTalks(s *Settings) ([]Bar, error) {
	env := []string{"WEIR_TALKS=100000"}
	return measuredBy(s, "random conversations", "./internal/routing/cascade", "TestNoTalkReachesABriefLayerRaw", env)
}

// measuredBy runs a test that prints bars.
func measuredBy(s *Settings, what, pkg, test string, env []string) ([]Bar, error) {
	if err := exists(s, pkg[2:]); err != nil {
		return nil, err
	}
	env = append(env, "WEIR_SHARED=")
	if s.Shared != "" {
		shared, err := filepath.Abs(s.Shared)
		if err != nil {
			return nil, err
		}
		env[len(env)-1] += shared
	}
	r, err := run(s, env, "go", "test", "-count=1", "-v", "-timeout", "60m", "-run", "^"+test+"$", pkg)
	if err != nil {
		return nil, err
	}
	return outcome(what, r), nil
}
