"""What runs on a Prefect server need: when they have work, settings of their own, automations, messages, pages."""
