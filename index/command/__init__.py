"""What every command shares: flag tables, configuration, logging, progress, output."""
