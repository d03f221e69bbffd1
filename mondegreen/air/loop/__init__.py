"""From a loudspeaker to a microphone and back: sweeps, responses, and files found in recordings."""
